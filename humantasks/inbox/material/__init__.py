"""Material of a task as people read it: links, Markdown, and what was changed, word by word. Pure."""
