# One image for every service; docker-compose.yml says which command each runs.
FROM python:3.11.14-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

WORKDIR /opt/crossdock

COPY .ci/debian-packages.txt .ci/install-debian .ci/
RUN .ci/install-debian $(cat .ci/debian-packages.txt) && rm -rf /var/lib/apt/lists/*

COPY requirements.txt .
RUN pip install --requirement requirements.txt

# One tree: the packages are used where they lie, beside the bundle in dags/.
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY mappings mappings
COPY connectors connectors
COPY crossdock crossdock
COPY dags dags
COPY plugins plugins
RUN pip install --no-deps --editable .

RUN useradd --create-home --uid 10001 crossdock \
    && install --directory --owner=crossdock --group=crossdock /var/lib/crossdock /var/lib/crossdock/airflow
USER crossdock
WORKDIR /var/lib/crossdock

ENV CROSSDOCK_HOME=/var/lib/crossdock \
    AIRFLOW_HOME=/var/lib/crossdock/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/crossdock/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/crossdock/plugins

VOLUME /var/lib/crossdock
CMD ["crossdock", "status"]
