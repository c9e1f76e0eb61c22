"""The library of the CheXNet pipeline. It knows nothing of processes or Ansible.

Research use only: not a medical device.
"""
