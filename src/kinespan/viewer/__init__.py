"""The ES modules that the report and the page share: a skeleton that moves, timelines under it, scores beside it."""
