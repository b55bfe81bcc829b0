// Print, as JSON, each feature that one of the clients does not support: its title, client and file.
import { readFileSync } from "node:fs";
import { caniemail } from "caniemail";

const [clients, ...files] = process.argv.slice(2);
const found = files.flatMap((file) => {
  const { issues } = caniemail({ clients: clients.split(","), html: readFileSync(file, "utf8") });
  return [...issues.errors].flatMap(([client, errors]) => errors.map(({ title }) => ({ title, client, file })));
});
console.log(JSON.stringify(found));
