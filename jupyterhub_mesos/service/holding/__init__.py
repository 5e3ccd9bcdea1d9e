"""Requests that wait for more than room: for their owner's word, or for the hours in which a start suits."""
