"""ProSpend to Parquet to DuckDB, every night."""
