"""The evidence as people read it: one HTML page, one table in a terminal. Nothing is judged here but the whole.

evidence.py holds the types and what follows from them, budgets.py RPO and RTO, promises.py the backup
table with the truth beside each cell, figures.py the words for numbers, plots.py the pictures, views.py
the arrangement, page.py the HTML file, terminal.py the table. Where evidence comes from (runs, checks,
stores) does not belong here.
"""
