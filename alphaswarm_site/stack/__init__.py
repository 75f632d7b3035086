"""The bundled servers: PostgreSQL, Redis, the gatekeeper and the processes of the site, under one supervisord."""
