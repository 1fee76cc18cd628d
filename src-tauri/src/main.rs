fn main() { tapfill::run() }
