# The HTTP service alone: no torch, nothing that trains (scikit-learn places new items). Prepared data and models are mounted.
#   docker build -t encore .
#   docker run -p 127.0.0.1:8000:8000 -v "$PWD/data:/data:ro" -v "$PWD/outputs:/outputs" encore --dataset lastfm-2k
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home encore
WORKDIR /srv/encore
COPY requirements-image.txt ./
RUN python3 -m venv /opt/encore \
    && /opt/encore/bin/pip install --no-cache-dir --no-deps -r requirements-image.txt \
    && /opt/encore/bin/pip check \
    && /opt/encore/bin/pip uninstall -y setuptools pip
COPY common common
COPY presets presets
USER 10001
EXPOSE 8000
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["/opt/encore/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["/opt/encore/bin/python", "-m", "common", "serve", "--host", "0.0.0.0", "--data-dir", "/data", "--output-dir", "/outputs"]
CMD ["--dataset", "lastfm-2k"]
