"""The sign-up pages: the form, the form on other sites, proof of work, receiving a sign-up."""
