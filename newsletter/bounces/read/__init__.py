"""Read returned mail: delivery reports, feedback reports, automatic replies, and home-made formats. Pure."""
