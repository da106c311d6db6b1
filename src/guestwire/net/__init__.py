"""Sockets, HTTP, clock and back-off behind small interfaces: real ones, and in memory for tests."""
