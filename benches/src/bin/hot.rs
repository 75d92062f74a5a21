//! Runs one hot path once, for `benches/instructions` to count what it takes: `hot` lists them, `hot NAME` runs one.

use benches::hot::{ALL, measured};

fn main() {
    let name = std::env::args().nth(1);
    for hot in ALL {
        match &name {
            None => println!("{}", hot.name),
            Some(name) if name == hot.name => {
                let mut work = (hot.ready)();
                println!("{} {}", measured(&mut work), hot.unit);
            }
            Some(_) => {}
        }
    }
}
