"""Where people find what waits for them: pages that work without JavaScript, on a phone and with a keyboard."""
