# Predict on a CPU, or serve the web page; the commands are in docs/docker.md.
FROM python:3.13-slim

COPY . /app
# The index has PyTorch without CUDA, a tenth of the size.
RUN pip install --no-cache-dir --constraint /app/constraints.txt --editable '/app[app]' \
    --extra-index-url https://download.pytorch.org/whl/cpu

RUN useradd --uid 1000 --create-home user
USER user
WORKDIR /data
ENTRYPOINT ["python"]
CMD ["/app/predict.py", "--help"]
