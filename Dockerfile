FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 HOME=/home/shadoweval
RUN useradd --uid 10001 --create-home shadoweval
# Pango and a font: reports are set as PDF.
RUN apt-get update && apt-get install --yes --no-install-recommends \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app

COPY pyproject.toml constraints.txt README.md manage.py ./
COPY shadoweval shadoweval
COPY routing routing
COPY reviews reviews
COPY templates templates
COPY static static
# Editable: templates and static files are found beside the packages.
RUN pip install --constraint constraints.txt --editable .

# The embedders' files are part of the image: no container builds, or keeps, its own.
ENV SHADOWEVAL_MODELS=/app/models
RUN python -m routing.embedders.build

# Collecting connects to nothing; the URLs only keep the private servers out of it.
RUN DATABASE_URL=postgresql://none@localhost/none REDIS_URL=redis://localhost \
    python manage.py collectstatic --noinput \
    && chown -R shadoweval:shadoweval var

USER shadoweval
VOLUME /app/var
EXPOSE 8000
CMD ["python", "-m", "shadoweval.web", "--host", "0.0.0.0", "--port", "8000"]
