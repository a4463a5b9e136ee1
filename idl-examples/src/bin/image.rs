//! Filters that edit a tile in the very memory in which it arrived: `inout` is one slot for both directions.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use idl_examples::image::filter::{self, ClientOver, Handler, Reply, ServerOver, method};
use idl_examples::image::{Histogram, SIDE, TILE_BYTES, Tile};
use idl_examples::{Failure, Laps, Sides, join, serve_until_input_ends};
use runtime_core::{ClientTransport, ServerTransport};

const TILES: usize = 16;

/// The filters as plain functions; the server calls them, and so does the check below.
fn brighten(tile: &mut Tile, by: i16) {
    for pixel in &mut tile.pixels {
        *pixel = i16::from(*pixel).saturating_add(by).clamp(0, 255) as u8;
    }
}

fn grey(tile: &mut Tile) {
    for pixel in tile.pixels.as_chunks_mut::<3>().0 {
        let [red, green, blue] = pixel.map(u32::from);
        *pixel = [((red * 77 + green * 150 + blue * 29) >> 8) as u8; 3];
    }
}

fn histogram(tile: &Tile) -> Histogram {
    let mut histogram = Histogram::default();
    for [red, green, blue] in tile.pixels.as_chunks::<3>().0 {
        let brightest = *red.max(green).max(blue);
        histogram.bins[usize::from(brightest >> 4)] += 1;
    }
    histogram
}

struct Filters;

impl Handler for Filters {
    fn brighten(&mut self, tile: &mut Tile, by: i16) {
        brighten(tile, by);
    }

    fn grey(&mut self, tile: &mut Tile) -> Histogram {
        grey(tile);
        histogram(tile)
    }

    // `histogram` itself is what a client calls its round-trip times.
    fn histogram_(&mut self, tile: &Tile) -> Histogram {
        histogram(tile)
    }
}

/// Something to look at: a ramp for each colour, another one in each tile.
fn tile(number: usize) -> Tile {
    let mut tile = Tile::default();
    for (at, pixel) in tile.pixels.iter_mut().enumerate() {
        *pixel = (at * (number + 1) / SIDE as usize) as u8;
    }
    tile
}

fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<(), Failure> {
    server.serve(&mut Filters);
    Ok(())
}

/// The client, over any transport. What a call carries and gets back with its reply is, here, the number of the tile.
fn call<T: ClientTransport>(mut client: ClientOver<T, usize>) -> Result<(), Failure> {
    // Every tile is in flight at once, each built where it travels from.
    for number in 0..TILES {
        let mut loan = client.loan::<method::Brighten>()?;
        loan.tile = tile(number);
        loan.by = 40;
        loan.send(number);
    }
    let mut bright = vec![Tile::default(); TILES];
    let mut got = 0;
    while got < TILES {
        let delivered = client.poll(|number, reply| {
            // An error leaves the tile black, which the check below finds.
            if let Reply::Brighten(Ok(response)) = reply {
                bright[number] = response.tile;
            }
        })?;
        if delivered == 0 {
            client.wait(Duration::from_secs(1))?;
        }
        got += delivered;
    }
    for (number, bright) in bright.iter().enumerate() {
        let mut expected = tile(number);
        brighten(&mut expected, 40);
        assert!(
            *bright == expected,
            "tile {number} is not as the plain function makes it"
        );
    }

    // The same waiting for each, with a result beside the edited tile.
    let mut laps = Laps::default();
    for number in 0..200 {
        let original = tile(number % TILES);
        let answer = laps.time(|| client.blocking().grey(&original))?;
        let mut expected = original;
        grey(&mut expected);
        assert!(answer.tile == expected);
        assert_eq!(answer.result, histogram(&expected));
    }
    let dark = client.blocking().histogram_(&Tile::default())?;
    assert_eq!(dark.bins[0], SIDE * SIDE);

    println!(
        "image: {TILES} tiles of {TILE_BYTES} bytes brightened in place, as by the plain function"
    );
    println!("image: 200 tiles made grey, {laps}");
    Ok(())
}

/// Over the in-process backend: the server on a thread, which ends with its last client.
fn threads() -> Result<(), Failure> {
    let (client, server) = filter::inproc::pair()?;
    let thread = thread::spawn(move || serve(server));
    call(client)?;
    join(thread)
}

/// Over shared memory: a process that serves a name until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let server = filter::shm::Server::bind(name)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    serve(server)
}

/// And another one that knows the name.
fn client(name: &str) -> Result<(), Failure> {
    call(filter::shm::Client::connect(name)?)
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "image",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}
