"""The public archive: releases, their Atom feed, and issues in the browser."""
