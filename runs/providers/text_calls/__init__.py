"""Tool calls that a server leaves in the text of an answer: their marks, their parsing, their removal."""
