# Web, worker and beat share this image; compose.yaml names the command of each.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APROPOS_NO_BOOTSTRAP=1 \
    STATIC_ROOT=/srv/static \
    WEB_THREADS=4 \
    DATA_DIR=/srv/data

RUN useradd --create-home --uid 10001 apropos \
    && mkdir -p /srv/apropos /srv/static /srv/data \
    && chown apropos:apropos /srv/static /srv/data

WORKDIR /srv/apropos
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .

# Written by the user who serves them; the key only lets the settings load.
USER apropos
RUN DEBUG=0 DATABASE_URL=postgres://build@localhost/build \
    SECRET_KEY=build ENCRYPTION_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    python manage.py collectstatic --noinput

EXPOSE 8000
CMD ["granian", "--interface", "asginl", "--no-ws", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--respawn-failed-workers", "crm.asgi:application"]
