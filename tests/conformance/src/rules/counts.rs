//! Counters, the histogram, and memory.

use runtime_core::{ClientConfig, ServerConfig, SlotShape};

use super::{replies, serve};
use crate::probe::probe::{Service, method};
use crate::{Backend, Probe, pair, pair_with};

pub fn both_sides_count<B: Backend>() {
    use runtime_core::Method as _;
    let (mut client, mut server) = pair::<B, u64>();
    let mut probe = Probe::default();
    for value in 0..5 {
        client.echo(value, value).unwrap();
    }
    client.note(1).unwrap();
    serve::<B>(&mut server, &mut probe);
    assert_eq!(replies(&mut client, 5).len(), 5);
    client.divide(1, 0, 9).unwrap();
    serve::<B>(&mut server, &mut probe);
    while client.poll(|_, _| ()).unwrap() == 0 {}
    for counters in [client.counters(), server.counters()] {
        let echo = counters.methods()[method::Echo::INDEX];
        assert_eq!(
            (echo.calls, echo.replies, echo.failures, echo.timeouts),
            (5, 5, 0, 0)
        );
        assert_eq!((echo.request_bytes, echo.response_bytes), (40, 40));
        let divide = counters.methods()[method::Divide::INDEX];
        assert_eq!((divide.calls, divide.replies, divide.failures), (1, 1, 1));
        assert_eq!(counters.methods()[method::Note::INDEX].calls, 1);
        assert_eq!(counters.total().calls, 7);
    }
}

pub fn the_histogram_records_round_trips<B: Backend>() {
    let config = ClientConfig {
        histogram: true,
        ..ClientConfig::default()
    };
    let (mut client, mut server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    for value in 0..100 {
        client.echo(value, value).unwrap();
        serve::<B>(&mut server, &mut Probe::default());
        assert_eq!(replies(&mut client, 1).len(), 1);
    }
    let histogram = client.histogram().unwrap();
    assert_eq!(histogram.count(), 100);
    assert!(histogram.quantile(0.5) <= histogram.quantile(0.99));
}

pub fn memory_is_known<B: Backend>() {
    // The word of an area has a line of its own where the largest message does not fit in there: 4,001 bytes, and a blob of 512.
    let shape = SlotShape::of_service::<Service>();
    assert_eq!((shape.request_area, shape.response_area), (4096, 576));
    assert_eq!(shape.memory(32, 32), 32 * (4096 + 576) + 32 * 64);
}
