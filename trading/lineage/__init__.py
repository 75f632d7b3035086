"""What is known about models and pipelines, and what came of them: bots and runs."""
