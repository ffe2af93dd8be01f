"""What users do in rooms; the graph decides, this package drafts and asks."""
