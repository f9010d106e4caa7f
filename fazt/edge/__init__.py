"""The server's front: HTTP/1.1, WebSocket, ASGI, listeners. It does not know that a database exists."""
