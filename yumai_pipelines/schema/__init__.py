"""The schema: installed, upgraded, described, and compared with what the migrations make."""
