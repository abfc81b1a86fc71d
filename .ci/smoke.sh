#!/usr/bin/env bash
# The installed wheel, from a folder that is not the checkout: each step's output feeds the next.
set -euo pipefail

automoe --version
python -c 'import automoe; [getattr(automoe, name) for name in automoe.__all__]'
automoe devices
automoe space wmt14-en-de --max-experts 6 --json > space.json
python -c 'import json; assert 8.87e23 < json.load(open("space.json"))["count"] < 8.89e23'
automoe sample --space tiny --max-experts 3 --fractional -n 3 --seed 1 -o archs.jsonl
automoe cost archs.jsonl --json > cost.json
automoe profile --device cpu --space tiny --max-experts 3 --fractional -n 20 --fast --log lat.csv
automoe log show lat.csv
automoe fit lat.csv -o latency.predictor --json > fit.json
automoe predict latency.predictor archs.jsonl -o predicted.csv
head -1 predicted.csv | grep -q predicted_ms
if automoe space nowhere; then echo "an unknown space must be refused"; exit 1; else test $? -eq 2; fi
head -1 archs.jsonl > one.json
automoe export one.json -o bundle --vocab-size 2000
echo "smoke test passed"
