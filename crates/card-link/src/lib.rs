//! One way to talk to a card: PC/SC on desktops, in process for simulations.
