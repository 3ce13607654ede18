"""Checks, fakes and builders that users may use as well."""
