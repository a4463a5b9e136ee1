//! Five services on five threads that find each other by name; one of them is itself a client of two others. Their guest is a thread of the
//! same process, and then a process of its own.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};

use idl_examples::common::Place;
use idl_examples::hotel::{
    Amenities, Cents, GeoHit, GeoHits, HotelError, HotelId, ProfileProfile, ReserveBooking,
    ReserveError, SearchOffer, SearchOffers, Stars, Stay, geo, profile, rate, reserve, search,
};
use idl_examples::{Failure, Laps, Sides, serve_until_input_ends};
use runtime_core::{CallError, ClientTransport, Opt, Retry, ServerTransport, Str};

/// Hotels are numbered from 1 and stand in a row, a tenth of a degree apart.
const HOTELS: HotelId = 20;
const ROOMS: u8 = 3;

fn place_of(hotel: HotelId) -> Place {
    Place {
        latitude: 48.0,
        longitude: 2.0 + f64::from(hotel) * 0.1,
    }
}

/// What a stay costs; every fifth hotel does not sell stays of one night.
fn price_of(hotel: HotelId, stay: &Stay) -> Result<Option<Cents>, HotelError> {
    if hotel == 0 || hotel > HOTELS {
        return Err(HotelError::NO_SUCH_HOTEL);
    }
    let nights = stay
        .check_out
        .checked_sub(stay.check_in)
        .filter(|&nights| nights > 0)
        .ok_or(HotelError::BAD_DATES)?;
    let sold = !hotel.is_multiple_of(5) || nights > 1;
    Ok(sold.then(|| (5_000 + hotel * 700 % 4_000) * u32::from(nights) * u32::from(stay.rooms)))
}

struct Geo;

impl geo::Handler for Geo {
    fn nearby(&mut self, place: &Place, within_km: f32) -> GeoHits {
        // Flat enough for a city.
        let km = |other: Place| {
            let (dy, dx) = (
                other.latitude - place.latitude,
                other.longitude - place.longitude,
            );
            (dy * 111.2).hypot(dx * 111.2 * place.latitude.to_radians().cos()) as f32
        };
        let mut near: Vec<_> = (1..=HOTELS)
            .map(|hotel| GeoHit {
                hotel,
                km: km(place_of(hotel)),
            })
            .collect();
        near.retain(|hit| hit.km <= within_km);
        near.sort_by(|a, b| a.km.total_cmp(&b.km));
        let mut hits = GeoHits::new();
        // Takes as many as there is room for.
        hits.extend(near);
        hits
    }
}

struct Rate;

impl rate::Handler for Rate {
    fn price(&mut self, hotel: HotelId, stay: &Stay) -> Result<Opt<Cents>, HotelError> {
        price_of(hotel, stay).map(Opt::from)
    }
}

struct Profiles;

impl profile::Handler for Profiles {
    fn profile(&mut self, hotel: HotelId) -> Result<ProfileProfile, HotelError> {
        if hotel == 0 || hotel > HOTELS {
            return Err(HotelError::NO_SUCH_HOTEL);
        }
        let site = format!("https://hotel-{hotel}.example");
        Ok(ProfileProfile {
            name: format!("Hotel {hotel}")
                .as_str()
                .try_into()
                .unwrap_or_default(),
            address: format!("{hotel} Long Street")
                .as_str()
                .try_into()
                .unwrap_or_default(),
            website: hotel
                .is_multiple_of(2)
                .then(|| site.as_str().try_into().unwrap_or_default())
                .into(),
            stars: if hotel.is_multiple_of(7) {
                Stars::MOST
            } else {
                Stars::THREE
            },
            amenities: Amenities::WIFI | Amenities::PETS,
            place: place_of(hotel),
            ..ProfileProfile::default()
        })
    }
}

/// Asks the others, each over a connection of its own.
struct Search<G: ClientTransport, R: ClientTransport> {
    geo: geo::ClientOver<G>,
    rate: rate::ClientOver<R>,
}

impl<G: ClientTransport, R: ClientTransport> search::Handler for Search<G, R> {
    fn search(
        &mut self,
        near: &Place,
        stay: &Stay,
        most: &Opt<Cents>,
        offers: &mut SearchOffers,
    ) -> Result<(), HotelError> {
        let retry = Retry { attempts: 2 };
        // A neighbour that does not answer means that nothing was found; errors of the guest are the guest's.
        let Ok(hits) = self.geo.retrying(retry).nearby(near, 40.0) else {
            return Ok(());
        };
        let mut found = Vec::new();
        for hit in &hits {
            match self.rate.retrying(retry).price(hit.hotel, stay) {
                Ok(price) => found.extend(price.get().map(|&price| SearchOffer {
                    hotel: hit.hotel,
                    km: hit.km,
                    price,
                })),
                Err(CallError::Service(error)) => return Err(error),
                Err(_) => {}
            }
        }
        found.retain(|offer| most.get().is_none_or(|&most| offer.price <= most));
        found.sort_by_key(|offer| offer.price);
        offers.extend(found);
        Ok(())
    }
}

#[derive(Default)]
struct Desk {
    bookings: BTreeMap<u64, ReserveBooking>,
    number: u64,
}

impl reserve::Handler for Desk {
    fn reserve(
        &mut self,
        _guest: &Str<40>,
        hotel: HotelId,
        stay: &Stay,
        price: Cents,
    ) -> Result<ReserveBooking, ReserveError> {
        let Ok(Some(now)) = price_of(hotel, stay) else {
            return Err(ReserveError::BAD_DATES);
        };
        if now != price {
            return Err(ReserveError::PRICE_CHANGED);
        }
        let overlaps =
            |other: &Stay| other.check_in < stay.check_out && stay.check_in < other.check_out;
        let same = self
            .bookings
            .values()
            .filter(|booking| booking.hotel == hotel && overlaps(&booking.stay));
        if same.map(|booking| booking.stay.rooms).sum::<u8>() + stay.rooms > ROOMS {
            return Err(ReserveError::FULL);
        }
        self.number += 1;
        let booking = ReserveBooking {
            number: self.number,
            hotel,
            stay: *stay,
            paid: price,
            ..ReserveBooking::default()
        };
        self.bookings.insert(self.number, booking);
        Ok(booking)
    }

    fn cancel(&mut self, number: u64) -> bool {
        self.bookings.remove(&number).is_some()
    }
}

/// Each service on a thread of its own.
fn start(
    mut geo: geo::ServerOver<impl ServerTransport + Send + 'static>,
    mut rate: rate::ServerOver<impl ServerTransport + Send + 'static>,
    mut profiles: profile::ServerOver<impl ServerTransport + Send + 'static>,
    mut search: search::ServerOver<impl ServerTransport + Send + 'static>,
    mut desk: reserve::ServerOver<impl ServerTransport + Send + 'static>,
    mut searcher: impl search::Handler + Send + 'static,
) -> [JoinHandle<()>; 5] {
    [
        thread::spawn(move || geo.serve(&mut Geo)),
        thread::spawn(move || rate.serve(&mut Rate)),
        thread::spawn(move || profiles.serve(&mut Profiles)),
        thread::spawn(move || search.serve(&mut searcher)),
        thread::spawn(move || desk.serve(&mut Desk::default())),
    ]
}

/// Waits for all services.
fn end(threads: [JoinHandle<()>; 5]) -> Result<(), Failure> {
    for thread in threads {
        thread.join().map_err(|_| "a service panicked")?;
    }
    Ok(())
}

/// The guest's side, over any transport.
fn call(
    mut search: search::ClientOver<impl ClientTransport>,
    mut profiles: profile::ClientOver<impl ClientTransport>,
    mut desk: reserve::ClientOver<impl ClientTransport>,
) -> Result<(), Failure> {
    let near = place_of(10);
    let stay = Stay {
        check_in: 100,
        check_out: 101,
        ..Stay::default()
    };
    let mut laps = Laps::default();
    let mut offers = SearchOffers::new();
    for _ in 0..100 {
        offers = laps
            .time(|| search.blocking().search(&near, &stay, &Opt::NONE))?
            .offers;
    }
    assert!(offers.len() > 2 && offers.is_sorted_by_key(|offer| offer.price));
    assert!(
        offers.iter().all(|offer| !offer.hotel.is_multiple_of(5)),
        "every fifth hotel does not sell one night"
    );
    let best = offers[0];
    let cheap = search
        .blocking()
        .search(&near, &stay, &Some(best.price).into())?
        .offers;
    assert!(!cheap.is_empty() && cheap.iter().all(|offer| offer.price == best.price));
    let backwards = Stay {
        check_in: 5,
        check_out: 4,
        ..stay
    };
    let refused = search.blocking().search(&near, &backwards, &Opt::NONE);
    assert_eq!(
        refused.err(),
        Some(CallError::Service(HotelError::BAD_DATES))
    );

    let hotel = profiles.blocking().profile(best.hotel)?;
    assert_eq!(hotel.website.is_some(), best.hotel.is_multiple_of(2));

    let guest = "A. Guest".try_into()?;
    let first = desk
        .blocking()
        .reserve(&guest, best.hotel, &stay, best.price)?;
    for _ in 1..ROOMS {
        desk.blocking()
            .reserve(&guest, best.hotel, &stay, best.price)?;
    }
    let full = desk
        .blocking()
        .reserve(&guest, best.hotel, &stay, best.price);
    assert_eq!(full.err(), Some(CallError::Service(ReserveError::FULL)));
    let bargain = desk.blocking().reserve(&guest, best.hotel, &stay, 1);
    assert_eq!(
        bargain.err(),
        Some(CallError::Service(ReserveError::PRICE_CHANGED))
    );
    assert!(desk.blocking().cancel(first.number)?);
    assert!(!desk.blocking().cancel(first.number)?);
    desk.blocking()
        .reserve(&guest, best.hotel, &stay, best.price)?;

    println!(
        "hotel: {} offers, the best is {} for {} cents; booked out and cancelled",
        offers.len(),
        hotel.name,
        best.price
    );
    println!(
        "hotel: 100 searches, each of {} calls to other services, {laps}",
        1 + 8
    );
    Ok(())
}

/// Over the in-process backend. A server that has a name can always get another client, so it serves until it is told to stop.
fn threads() -> Result<(), Failure> {
    let geo = geo::inproc::Server::bind("hotel/geo")?;
    let rate = rate::inproc::Server::bind("hotel/rate")?;
    let profiles = profile::inproc::Server::bind("hotel/profile")?;
    let search = search::inproc::Server::bind("hotel/search")?;
    let desk = reserve::inproc::Server::bind("hotel/reserve")?;
    let stops = (
        geo.transport().stopper(),
        rate.transport().stopper(),
        profiles.transport().stopper(),
        search.transport().stopper(),
        desk.transport().stopper(),
    );
    let searcher = Search {
        geo: geo::inproc::Client::connect("hotel/geo")?,
        rate: rate::inproc::Client::connect("hotel/rate")?,
    };
    let threads = start(geo, rate, profiles, search, desk, searcher);
    call(
        search::inproc::Client::connect("hotel/search")?,
        profile::inproc::Client::connect("hotel/profile")?,
        reserve::inproc::Client::connect("hotel/reserve")?,
    )?;
    stops.0.stop();
    stops.1.stop();
    stops.2.stop();
    stops.3.stop();
    stops.4.stop();
    end(threads)
}

/// Over shared memory: a process with all services, which also find each other this way, until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let geo = geo::shm::Server::bind(&format!("{name}.geo"))?;
    let rate = rate::shm::Server::bind(&format!("{name}.rate"))?;
    let profiles = profile::shm::Server::bind(&format!("{name}.profile"))?;
    let search = search::shm::Server::bind(&format!("{name}.search"))?;
    let desk = reserve::shm::Server::bind(&format!("{name}.reserve"))?;
    let stops = (
        geo.transport().stopper(),
        rate.transport().stopper(),
        profiles.transport().stopper(),
        search.transport().stopper(),
        desk.transport().stopper(),
    );
    let searcher = Search {
        geo: geo::shm::Client::connect(&format!("{name}.geo"))?,
        rate: rate::shm::Client::connect(&format!("{name}.rate"))?,
    };
    let threads = start(geo, rate, profiles, search, desk, searcher);
    serve_until_input_ends(name, move || {
        stops.0.stop();
        stops.1.stop();
        stops.2.stop();
        stops.3.stop();
        stops.4.stop();
    });
    end(threads)
}

/// And another one with their guest.
fn client(name: &str) -> Result<(), Failure> {
    call(
        search::shm::Client::connect(&format!("{name}.search"))?,
        profile::shm::Client::connect(&format!("{name}.profile"))?,
        reserve::shm::Client::connect(&format!("{name}.reserve"))?,
    )
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "hotel",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}
