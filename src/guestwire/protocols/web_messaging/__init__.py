"""The Web Messaging guest protocol as sans-IO cores: client half, server half, and the wire between them."""
