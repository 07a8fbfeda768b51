"""The four-point example in ten lines: adapt the starter model to y = 2x from four points, predict 5 and 6.

Needs a running service with the starter model `functions`, which `make run` gives:

    .venv/bin/python examples/four_points.py
"""

from innerloop import Client

with Client() as client:  # INNERLOOP_URL, else http://127.0.0.1:8000
    before = client.adapt_and_predict("functions", None, None, [5, 6])
    adaptation = client.adapt("functions", inputs=[1, 2, 3, 4], targets=[2, 4, 6, 8])
    after = adaptation.predict([5, 6])
    for x, was, now in zip([5, 6], before, after, strict=True):
        print(
            f"x = {x}: {was.value:.2f} ± {was.std:.2f} before, {now.value:.2f} ± {now.std:.2f} after, truth {2 * x}"
        )
    adaptation.delete()
