//! Times the hot paths: `cargo bench -p benches`, or with a part of a path's name behind it.

use benches::hot::{ALL, measured};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for hot in ALL {
        let mut work = (hot.ready)();
        let units = measured(&mut work);
        let mut group = criterion.benchmark_group(hot.name);
        group.sample_size(10);
        group.throughput(if hot.unit == "byte" { Throughput::Bytes(units) } else { Throughput::Elements(units) });
        group.bench_function(hot.unit, |bencher| bencher.iter(|| measured(&mut work)));
    }
}

criterion_group!(hot, all);
criterion_main!(hot);
