"""Events of journals for followers: pages, server-sent events, WebSockets, and long polls."""
