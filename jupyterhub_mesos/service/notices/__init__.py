"""Notices to people who look elsewhere: by mail or webhook, read off the audit, so no crash loses one."""
