"""What a step type is written against; packages import it through llmteam.plugin."""
