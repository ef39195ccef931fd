"""Motion by what it is like: an index of snippet features, moments that are alike, and what to label next.

`index` builds and reads the index, `search` finds moments in it, `label_next` puts in order what to label next, by
`signals`.
"""
