"""The presets: one small mapping each, as TOML. ``docs/events.md`` explains every key."""
