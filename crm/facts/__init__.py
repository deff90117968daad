"""What rules may ask of the system of record: profiles, events, devices.

Pure but for `suggestions`: conditions are values that answer with SQL.
"""
