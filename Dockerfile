# Predict on a CPU, or serve the web page; the commands are in docs/docker.md.
FROM python:3.13-slim

COPY . /app
# pip reads it: an index of PyTorch without CUDA.
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir --constraint /app/constraints.txt --editable '/app[app]'

RUN useradd --uid 1000 --create-home user
USER user
WORKDIR /data
ENTRYPOINT ["python"]
CMD ["/app/predict.py", "--help"]
