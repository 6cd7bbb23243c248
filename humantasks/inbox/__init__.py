"""The inbox: pages for people, which work without JavaScript, on a phone and with a keyboard."""
