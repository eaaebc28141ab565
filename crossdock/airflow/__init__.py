"""What Airflow must be able to import in every one of its processes: triggers, and how connections are found.

The only room of our installed packages that imports Airflow, and nothing of them imports it; DAGs and plugins do
(docs/adr/0015). Code in the bundle's folder would not do: the triggerer does not have that on its path.
"""
