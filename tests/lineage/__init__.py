"""Of which fields each mart column's value is made, derived from the SQL of the marts: `make lineage`."""
