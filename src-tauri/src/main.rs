#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

//! The app on desktops.

fn main() {
    tapfill::run();
}
