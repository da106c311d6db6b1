"""Sans-IO cores, one folder a protocol; none imports another."""
