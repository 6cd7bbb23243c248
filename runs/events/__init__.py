"""The journal as others follow it: pages, server-sent events, WebSockets, and those who only wait for the end."""
