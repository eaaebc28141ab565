"""Airflow on this machine, without containers.

``services`` starts the processes that docker-compose.yml runs in containers, by the same commands;
``rest`` talks to them through Airflow's public API. The demo, ``make up`` and the integration
tests use both. No Airflow is imported here.
"""
