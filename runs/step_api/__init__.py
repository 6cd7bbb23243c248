"""The interface for step types; packages import it through llmteam.plugin."""
