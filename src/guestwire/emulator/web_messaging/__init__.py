"""The emulated org's Web Messaging: deployments, sockets, REST, files, and sign-in."""
