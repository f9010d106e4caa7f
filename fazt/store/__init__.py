"""The one SQLite file: a module for each group of tables; the only place with SQL."""
