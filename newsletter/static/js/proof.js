/* Has the browser do a little work before it signs somebody up (vendor/altcha). Works with a strict CSP:
   the worker is a file of ours. Without this file the form is taken all the same. */
import "../vendor/altcha/altcha-3.2.2.min.js";

$altcha.algorithms.set(
  "PBKDF2/SHA-256",
  () => new Worker(new URL("../vendor/altcha/pbkdf2-3.2.2.js", import.meta.url)),
);
