"""System of record: who the customer is, what they did, what we sell.

Imports nothing here on purpose: `crm.bootstrap` runs before any dependency is
installed, and Celery's application is loaded in `crm.apps`.
"""
