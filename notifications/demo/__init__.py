"""The main job told as one story, on the embedded database, with real parts.

Purchase rows in (the small sample, or a real log), then segment, campaign, gate,
sandbox, opens through the signed endpoint, report. What the rows do not hold
(devices, consents, opens, purchases afterwards) is made up and labelled so.
"""
